#include "weight_cache.hpp"

#include <c10/util/StringUtil.h>

namespace ichdet::nn {

std::string WeightCache::name_of(const at::Tensor& source, std::vector<at::Tensor>& roots) const {
  if (!source.defined()) return "none";
  if (const auto name = names_.find(source.unsafeGetTensorImpl()); name != names_.end()) {
    const auto& entry = entries_.at(name->second);
    if (entry.made.lock().get() == source.unsafeGetTensorImpl()) {  // else its address was used again
      roots.insert(roots.end(), entry.roots.begin(), entry.roots.end());
      return name->second;
    }
  }
  roots.push_back(source);
  return c10::str(source.const_data_ptr(), source.scalar_type(), source.sizes(), source.strides());
}

at::Tensor WeightCache::derive(const std::string& what, const std::vector<at::Tensor>& sources,
                               const std::function<at::Tensor()>& make) {
  const std::scoped_lock lock(mutex_);
  std::vector<at::Tensor> roots;
  std::string name = what + "(";
  for (const auto& source : sources) name += name_of(source, roots) + ";";
  name += ")";
  if (const auto entry = entries_.find(name); entry != entries_.end()) {
    if (auto made = entry->second.made.lock(); made) return at::Tensor(std::move(made));
  }
  auto made = make();
  entries_.insert_or_assign(name, Entry{std::move(roots), Weak(made.getIntrusivePtr())});
  names_.insert_or_assign(made.unsafeGetTensorImpl(), name);
  return made;
}

std::size_t WeightCache::size() const {
  const std::scoped_lock lock(mutex_);
  std::size_t held = 0;
  for (const auto& [name, entry] : entries_) held += !entry.made.expired();
  return held;
}

}  // namespace ichdet::nn

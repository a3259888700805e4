#include "pickle.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <unordered_map>

#include "ichdet/core/error.hpp"
#include "printable.hpp"

namespace ichdet::nn {

/// The pickle machine: a stack, marks on it, and a memo.
class PickleReader {
 public:
  PickleReader(Pickle& pickle, const std::string& subject, Pickle::Others others)
      : pickle_(pickle), subject_(subject), others_(others) {}

  void run() {
    while (step()) {
    }
    if (stack_.size() != 1) fail("it does not end in one value");
    pickle_.value_ = stack_.front();
  }

 private:
  using Value = PickledValue;

  [[noreturn]] void fail(const std::string& what) const {
    throw Error(ErrorCode::weights, subject_ + ": " + what + " (byte " + std::to_string(at_) + " of its pickle)");
  }

  std::string_view text(std::uint64_t length) {
    if (length > pickle_.bytes_.size() - at_) fail("cut off");
    const auto found = std::string_view(pickle_.bytes_).substr(at_, length);
    at_ += length;
    return found;
  }
  std::string_view line() {
    const auto end = pickle_.bytes_.find('\n', at_);
    if (end == std::string::npos) fail("cut off");
    const auto found = text(end - at_);
    ++at_;
    return found;
  }
  template <class T>
  T number() {
    static_assert(std::endian::native == std::endian::little);
    T value;
    std::memcpy(&value, text(sizeof value).data(), sizeof value);
    return value;
  }
  std::int64_t long_number() {
    const auto digits = text(number<std::uint8_t>());
    if (digits.size() > 8) fail("an integer of more than 64 bits");
    std::int64_t value = !digits.empty() && digits.back() < 0 ? -1 : 0;
    std::memcpy(&value, digits.data(), digits.size());
    return value;
  }
  double big_endian_double() { return std::bit_cast<double>(__builtin_bswap64(number<std::uint64_t>())); }

  static bool is_opaque(const Value& value) { return std::holds_alternative<Opaque>(value); }

  void push(Value value) { stack_.push_back(value); }
  Value pop() {
    if (stack_.size() <= (marks_.empty() ? 0 : marks_.back())) fail("damaged: its stack is empty");
    const auto value = stack_.back();
    stack_.pop_back();
    return value;
  }
  template <class T>
  T pop_as(const char* what) {
    const auto value = pop();
    if (const auto* found = std::get_if<T>(&value)) return *found;
    fail(std::string("damaged: expected ") + what);
  }
  std::vector<Value> pop_to_mark() {
    if (marks_.empty()) fail("damaged: no mark");
    const auto first = stack_.begin() + std::ptrdiff_t(marks_.back());
    std::vector<Value> values(first, stack_.end());
    stack_.erase(first, stack_.end());
    marks_.pop_back();
    return values;
  }
  std::vector<Value> pop_many(std::size_t count) {
    std::vector<Value> values(count);
    for (auto i = count; i > 0; --i) values[i - 1] = pop();
    return values;
  }
  Value make(Sequence::Kind kind, std::vector<Value> items = {}) {
    pickle_.sequences_.push_back({kind, std::move(items)});
    return &pickle_.sequences_.back();
  }
  void extend(Sequence::Kind kind, const std::vector<Value>& items) {
    const auto popped = pop();
    if (is_opaque(popped)) return push(popped);
    const auto* found = std::get_if<Sequence*>(&popped);
    if (found == nullptr) fail("damaged: expected a list or a dict");
    auto* target = *found;
    if (target->kind != kind || (kind == Sequence::dict && items.size() % 2 != 0))
      fail("damaged: not a list or a dict");
    target->items.insert(target->items.end(), items.begin(), items.end());
    push(target);
  }
  void put(std::uint64_t key) {
    if (stack_.empty()) fail("damaged: its stack is empty");
    memo_[key] = stack_.back();
  }
  void get(std::uint64_t key) {
    const auto found = memo_.find(key);
    if (found == memo_.end()) fail("damaged: nothing was noted as " + std::to_string(key));
    push(found->second);
  }

  void global(std::string_view module, std::string_view name) {
    const bool storage = module == "torch" && name.ends_with("Storage");
    const bool rebuild = module == "torch._utils" && (name == "_rebuild_tensor_v2" || name == "_rebuild_parameter");
    if (!storage && !rebuild && !(module == "collections" && name == "OrderedDict")) {
      if (others_ == Pickle::Others::opaque) return push(Opaque{});
      fail(
          "it refers to " + printable(module) + "." + printable(name) +
          ", and only dicts, lists, tuples, numbers, text and tensors are read: save the network's state_dict() alone, "
          "in Python with torch.save(network.state_dict(), file)");
    }
    push(Global{module, name});
  }

  void reduce() {
    const auto made_of = pop(), maker = pop();
    if (is_opaque(made_of) || is_opaque(maker)) return push(Opaque{});
    const auto* tuple = std::get_if<Sequence*>(&made_of);
    const auto* global = std::get_if<Global>(&maker);
    if (tuple == nullptr || global == nullptr) fail("damaged: a call of no name, or without arguments");
    const auto& arguments = (*tuple)->items;
    const auto name = global->name;
    if (name == "OrderedDict") {
      if (!arguments.empty()) fail("an OrderedDict of arguments");
      push(make(Sequence::dict));
    } else if (name == "_rebuild_parameter" && !arguments.empty()) {
      push(arguments.front());
    } else if (name == "_rebuild_tensor_v2" && arguments.size() >= 4) {
      const auto* storage = std::get_if<const Storage*>(&arguments[0]);
      const auto* offset = std::get_if<std::int64_t>(&arguments[1]);
      const auto *size = std::get_if<Sequence*>(&arguments[2]), *stride = std::get_if<Sequence*>(&arguments[3]);
      if (storage == nullptr || offset == nullptr || size == nullptr || stride == nullptr) fail("damaged: a tensor");
      push(PickledTensor{*storage, *offset, *size, *stride});
    } else {
      fail("damaged: a call of " + printable(name));
    }
  }

  /// ('storage', type, key, location, elements)
  void persistent() {
    const auto* id = pop_as<Sequence*>("a storage");
    if (id->items.size() != 5) fail("damaged: a storage");
    const auto* type = std::get_if<Global>(&id->items[1]);
    const auto* key = std::get_if<std::string_view>(&id->items[2]);
    const auto* elements = std::get_if<std::int64_t>(&id->items[4]);
    if (type == nullptr || key == nullptr || elements == nullptr) fail("damaged: a storage");
    pickle_.storages_.push_back({type->name, *key, *elements});
    push(&pickle_.storages_.back());
  }

  /// One instruction; whether another follows.
  bool step() {
    const auto code = number<std::uint8_t>();
    switch (code) {
      case 0x80:  // PROTO
        if (number<std::uint8_t>() > 5) fail("a pickle protocol above 5");
        break;
      case 0x95: number<std::uint64_t>(); break;  // FRAME
      case '.': return false;
      case '(': marks_.push_back(stack_.size()); break;
      case 'N': push(std::monostate()); break;
      case 0x88: push(true); break;
      case 0x89: push(false); break;
      case 'J': push(std::int64_t(number<std::int32_t>())); break;
      case 'K': push(std::int64_t(number<std::uint8_t>())); break;
      case 'M': push(std::int64_t(number<std::uint16_t>())); break;
      case 0x8a: push(long_number()); break;
      case 'G': push(big_endian_double()); break;
      case 'X': push(text(number<std::uint32_t>())); break;
      case 0x8c: push(text(number<std::uint8_t>())); break;
      case 0x8d: push(text(number<std::uint64_t>())); break;
      case ')': push(make(Sequence::tuple)); break;
      case 0x85:
      case 0x86:
      case 0x87: push(make(Sequence::tuple, pop_many(code - 0x84u))); break;
      case 't': push(make(Sequence::tuple, pop_to_mark())); break;
      case ']': push(make(Sequence::list)); break;
      case '}': push(make(Sequence::dict)); break;
      case 'a': extend(Sequence::list, pop_many(1)); break;
      case 'e': extend(Sequence::list, pop_to_mark()); break;
      case 's': extend(Sequence::dict, pop_many(2)); break;
      case 'u': extend(Sequence::dict, pop_to_mark()); break;
      case 'q': put(number<std::uint8_t>()); break;
      case 'r': put(number<std::uint32_t>()); break;
      case 0x94: put(memo_.size()); break;  // MEMOIZE
      case 'h': get(number<std::uint8_t>()); break;
      case 'j': get(number<std::uint32_t>()); break;
      case 'c': {
        const auto module = line();
        global(module, line());
        break;
      }
      case 0x93: {  // STACK_GLOBAL
        const auto name = pop_as<std::string_view>("a name");
        global(pop_as<std::string_view>("a module"), name);
        break;
      }
      case 'R': reduce(); break;
      case 'Q': persistent(); break;
      case 'b':  // BUILD: a dict's attributes, such as _metadata
        pop();
        if (stack_.empty() || !is_opaque(stack_.back())) push(pop_as<Sequence*>("a dict"));
        break;
      case 0x81:  // NEWOBJ
      case 0x92:  // NEWOBJ_EX
        if (others_ == Pickle::Others::refused) fail("an object of a class");
        pop_many(code == 0x92 ? 3 : 2);
        push(Opaque{});
        break;
      case 'B':
      case 'C':
      case 0x8e:
      case 0x96:  // bytes
        if (others_ == Pickle::Others::refused) fail("bytes, which plain data do not need");
        text(code == 'B' ? number<std::uint32_t>() : code == 'C' ? number<std::uint8_t>() : number<std::uint64_t>());
        push(Opaque{});
        break;
      case 0x8f:  // EMPTY_SET
        if (others_ == Pickle::Others::refused) fail("a set, which plain data do not need");
        push(Opaque{});
        break;
      case 0x91:  // FROZENSET
        if (others_ == Pickle::Others::refused) fail("a set, which plain data do not need");
        pop_to_mark();
        push(Opaque{});
        break;
      case 0x90:  // ADDITEMS
        pop_to_mark();
        if (!is_opaque(pop())) fail("damaged: not a set");
        push(Opaque{});
        break;
      default: fail("pickle instruction " + std::to_string(code) + ", which plain data do not need");
    }
    return true;
  }

  Pickle& pickle_;
  const std::string& subject_;
  Pickle::Others others_;
  std::uint64_t at_ = 0;
  std::vector<Value> stack_;
  std::vector<std::size_t> marks_;
  std::unordered_map<std::uint64_t, Value> memo_;
};

Pickle::Pickle(std::string bytes, const std::string& subject, Others others) : bytes_(std::move(bytes)) {
  PickleReader(*this, subject, others).run();
}

}  // namespace ichdet::nn

#pragma once

#include <array>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

// What labels of blood and of its types say about each other.
namespace ichdet::train {

/// As RSNA 2019 calls them; `any` is blood of whatever type.
inline constexpr std::array<std::string_view, 6> blood_labels{
    "any", "epidural", "intraparenchymal", "intraventricular", "subarachnoid", "subdural"};

/// 0 or 1 by name; what is not known is not there.
using LabelValues = std::map<std::string, float>;

/// "any" for "blood", else the name itself.
std::string label_key(const std::string& name);

/// Adds what follows: no blood is none of any type, none of all five types is no blood, blood of a type is blood.
/// Throws Error(io), which begins with `place`, where there is blood of a type and yet none.
void complete(LabelValues& values, const std::string& place);

/// `names`, and "any" behind them where neither that nor "blood" is one.
std::vector<std::string> with_any(std::vector<std::string> names);

/// In the order of `names`; NaN where not known.
std::vector<float> in_order(const LabelValues& values, const std::vector<std::string>& names);

}  // namespace ichdet::train

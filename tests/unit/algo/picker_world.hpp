#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "algo/draw.hpp"
#include "algo/endpoint_picker.hpp"

namespace perilune::algo {

/// Endpoints by name, what is in progress at each, and dice with a seed.
class PickerWorld final : public PickerView {
 public:
  struct Endpoint {
    std::string name;
    uint32_t weight = 1;
  };

  PickerWorld(const PickerOptions& options, std::vector<Endpoint> endpoints) : picker_(make_picker(options)) {
    set(std::move(endpoints));
  }
  PickerWorld(PickerKind kind, std::vector<Endpoint> endpoints)
      : PickerWorld(PickerOptions{.kind = kind}, std::move(endpoints)) {}

  void set(std::vector<Endpoint> endpoints) {
    endpoints_ = std::move(endpoints);
    std::vector<PickerEndpoint> list;
    for (const auto& endpoint : endpoints_) list.push_back({hash(endpoint.name), endpoint.weight});
    picker_->assign(list);
  }

  /// The name, "-" for none.
  std::string pick(std::optional<uint64_t> key = std::nullopt) {
    random_ = draw_next(random_);
    const auto index = picker_->pick(*this, key, random_);
    return index ? endpoints_[*index].name : "-";
  }

  std::string picks(int count) {
    std::string names;
    for (int i = 0; i < count; ++i) names += pick();
    return names;
  }

  /// Who gets each of so many keys.
  std::vector<std::string> owners(uint64_t keys) {
    std::vector<std::string> names;
    for (uint64_t key = 0; key < keys; ++key) names.push_back(pick(hash(key)));
    return names;
  }

  bool is_usable(uint32_t index) const override { return !down.contains(endpoints_[index].name); }
  uint32_t active(uint32_t index) const override {
    const auto known = busy.find(endpoints_[index].name);
    return known == busy.end() ? 0 : known->second;
  }

  std::set<std::string> down;
  std::map<std::string, uint32_t> busy;

 private:
  std::unique_ptr<EndpointPicker> picker_;
  std::vector<Endpoint> endpoints_;
  uint64_t random_ = 1;
};

/// e0, e1 … of one weight.
inline std::vector<PickerWorld::Endpoint> many_endpoints(int count, uint32_t weight = 1) {
  std::vector<PickerWorld::Endpoint> endpoints;
  for (int i = 0; i < count; ++i) endpoints.push_back({"e" + std::to_string(i), weight});
  return endpoints;
}

}  // namespace perilune::algo

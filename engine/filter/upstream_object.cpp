#include "filter/upstream_object.hpp"

#include <algorithm>

#include "base/expect.hpp"
#include "base/text.hpp"
#include "filter/connect_by_key.hpp"

namespace perilune::filter {
namespace {

bool are_alike(const upstream::ClusterOptions& one, const upstream::ClusterOptions& other) {
  if (one.discovery.has_value() != other.discovery.has_value()) return false;
  if (one.discovery)
    return one.discovery->kind == other.discovery->kind && one.discovery->name == other.discovery->name;
  const auto is_same = [](const upstream::EndpointSpec& a, const upstream::EndpointSpec& b) {
    return a.address == b.address && a.weight == b.weight && a.priority == b.priority;
  };
  return std::ranges::is_permutation(one.endpoints, other.endpoints, is_same);
}

}  // namespace

Result<Ref<UpstreamObject>> UpstreamObject::make(Services& services, std::string name, const Place& place,
                                                 ClusterSettings settings) {
  for (const UpstreamObject* other : services.upstreams) {
    // What is loaded anew may say something else than what runs.
    const bool is_elsewhere = !other->is_started_ && other->name == name && other->place.file != place.file;
    if (is_elsewhere && !are_alike(other->cluster->options(), settings.cluster))
      return Error{ErrorCode::ScriptError, Side::Script,
                   in_quotes(name) + " has other endpoints at " + other->place.to_string() +
                       ": a name is one upstream in all files of a process; give one of them another name"};
  }
  return Ref<UpstreamObject>(new UpstreamObject(services, std::move(name), place, std::move(settings)));
}

UpstreamObject::UpstreamObject(Services& services, std::string its_name, const Place& its_place,
                               ClusterSettings settings)
    : name(std::move(its_name)),
      place(its_place),
      services_(services),
      wire_(std::move(settings.connect)),
      cluster(make_ref<upstream::Cluster>(
          upstream::Cluster::Parts{services.runtime, services.network,
                                   connect_by_key(services, "upstream " + name, place, wire_),
                                   services.worker},
          services.clusters->record(name), std::move(settings.cluster))) {
  PERILUNE_EXPECT(services.worker < services.clusters->workers(),
                  "the board knows how many workers there are");
  services.upstreams.push_back(this);
}

UpstreamObject::~UpstreamObject() { std::erase(services_.upstreams, this); }

void UpstreamObject::start() {
  is_started_ = true;
  for (UpstreamObject* other : services_.upstreams) {
    const bool is_before = other != this && other->is_started_ && !other->is_taken_over_;
    if (!is_before || other->name != name || other->place.file != place.file) continue;
    other->is_taken_over_ = true;
    other->cluster->adopt(*cluster, has_equal_wire(*other));
    other->replaced_ = std::exchange(cluster, other->cluster);
    return;
  }
  cluster->start();
}

void UpstreamObject::retire() {
  if (!is_taken_over_) cluster->retire();
}

void UpstreamObject::drain() {
  if (!is_taken_over_) cluster->drain();
}

bool UpstreamObject::has_equal_wire(const UpstreamObject& other) const {
  const auto is_equal = [](const Option& a, const Option& b) {
    return a.name == b.name && a.argument.value == b.argument.value && a.argument.list == b.argument.list;
  };
  return std::ranges::equal(wire_.all(), other.wire_.all(), is_equal);
}

}  // namespace perilune::filter

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
    // A file that is loaded anew may say something else than before.
    const bool is_elsewhere = other->name == name && other->place.file != place.file;
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
      connections_(connect_by_key(services, "upstream " + name, place, std::move(settings.connect))),
      cluster(make_ref<upstream::Cluster>(
          upstream::Cluster::Parts{services.runtime, services.network, *connections_, services.worker},
          services.clusters->record(name), std::move(settings.cluster))) {
  PERILUNE_EXPECT(services.worker < services.clusters->workers(),
                  "the board knows how many workers there are");
  services.upstreams.push_back(this);
}

UpstreamObject::~UpstreamObject() { std::erase(services_.upstreams, this); }

}  // namespace perilune::filter

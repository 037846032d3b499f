#pragma once

#include <string>
#include <vector>

#include "filter/cluster_settings.hpp"
#include "upstream/cluster.hpp"

namespace perilune::filter {

/// A cluster as scripts hold it, and where it was defined. While it lives it is known to the worker's other
/// scripts.
class UpstreamObject final : public Object {
 public:
  /// Makes the cluster, which follows the record of that name in `services`. The record is as it was, and
  /// nothing is connected, before cluster->start(). Errors (Side::Script): another script file has an
  /// upstream of this name with other endpoints.
  static Result<Ref<UpstreamObject>> make(Services& services, std::string name, const Place& place,
                                          ClusterSettings settings);
  ~UpstreamObject() override;

  /// Its program serves. Where the file had an upstream of this name before, its cluster goes on, with these
  /// options: its endpoints, what is known of them, and its idle connections stay.
  void start();
  /// Another program serves, see Program::retire; unless the cluster goes on in that.
  void retire();
  /// The program is over; unless the cluster goes on in another.
  void drain();

  const std::string name;
  const Place place;

 private:
  UpstreamObject(Services& services, std::string its_name, const Place& its_place, ClusterSettings settings);

  bool has_equal_wire(const UpstreamObject& other) const;

  Services& services_;
  /// Of `connect`.
  const Options wire_;
  bool is_started_ = false;
  bool is_taken_over_ = false;
  /// Has the options that requests of this program may still refer to.
  Ref<upstream::Cluster> replaced_;

 public:
  Ref<upstream::Cluster> cluster;
};

}  // namespace perilune::filter

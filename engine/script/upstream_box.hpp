#pragma once

#include "filter/upstream_object.hpp"

namespace perilune::script {

/// What the userdata of an upstream holds.
struct UpstreamBox {
  static constexpr char tag = 0;
  const void* kind = &tag;
  Ref<filter::UpstreamObject> object;
};

}  // namespace perilune::script

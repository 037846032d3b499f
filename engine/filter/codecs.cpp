#include "filter/codecs.hpp"

namespace perilune::filter {

namespace {

template <typename Codec>
class CodecPlan final : public flow::FilterPlan {
 public:
  explicit CodecPlan(Services& services) : services_(services) {}
  std::unique_ptr<flow::Filter> make() const override { return std::make_unique<Codec>(services_); }

 private:
  Services& services_;
};

template <typename Requests, typename Responses>
Result<std::unique_ptr<flow::FilterPlan>> make_plan(const FilterCall& call) {
  std::unique_ptr<flow::FilterPlan> plan;
  if (call.spec.name.ends_with("Request")) plan = std::make_unique<CodecPlan<Requests>>(call.services);
  else plan = std::make_unique<CodecPlan<Responses>>(call.services);
  return plan;
}

}  // namespace

Result<std::unique_ptr<flow::FilterPlan>> make_decode_plan(FilterCall& call) {
  return make_plan<DecodeRequests, DecodeResponses>(call);
}

Result<std::unique_ptr<flow::FilterPlan>> make_encode_plan(FilterCall& call) {
  return make_plan<EncodeRequests, EncodeResponses>(call);
}

}  // namespace perilune::filter

#include "filter/open_exchanges.hpp"

namespace perilune::filter {

Asked Asked::by(const message::RequestHead& head) {
  return {.method = head.method == "HEAD"      ? Method::Head
                    : head.method == "CONNECT" ? Method::Connect
                                               : Method::Other,
          .version = head.version,
          .offer = head.upgrade.empty() ? http::UpgradeOffer::None : http::UpgradeOffer::WebSocket,
          .keep_alive = head.keep_alive,
          .accepts_trailers = head.accepts_trailers};
}

Ref<OpenExchanges> OpenExchanges::of(flow::Context& context) {
  if (!context.codec_state) context.codec_state = make_ref<OpenExchanges>();
  return Ref<OpenExchanges>(static_cast<OpenExchanges*>(context.codec_state.get()));
}

}  // namespace perilune::filter

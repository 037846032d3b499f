// Pipy as a plain reverse proxy.
pipy()
  .listen('127.0.0.1:@PORT@')
  .demuxHTTP().to($ => $
    .muxHTTP().to($ => $
      .connect('127.0.0.1:@UPSTREAM_A@')
    )
  )

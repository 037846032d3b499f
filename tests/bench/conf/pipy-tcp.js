// Pipy as a TCP relay.
pipy()
  .listen('127.0.0.1:@PORT@')
  .connect('127.0.0.1:@UPSTREAM_A@')

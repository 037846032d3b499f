// Pipy answers by itself.
pipy()
  .listen('127.0.0.1:@PORT@')
  .serveHTTP(() => new Message('@BODY@'))

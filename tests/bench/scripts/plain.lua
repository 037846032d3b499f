-- A plain reverse proxy: idle upstream connections are kept, nobody has one of his own.
listen(8000):demuxHTTP("forward")

pipeline("forward"):muxHTTP("connection")

pipeline("connection"):connect("127.0.0.1:8080")

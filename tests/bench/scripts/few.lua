-- The requests of all clients over few upstream connections.
listen(8000):demuxHTTP("forward")

pipeline("forward"):muxHTTP("connection", "all", { maxSessions = 1, pipelining = 64 })

pipeline("connection"):connect("127.0.0.1:8080")

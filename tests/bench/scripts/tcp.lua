-- A TCP relay.
listen(8000):connect("127.0.0.1:8080")

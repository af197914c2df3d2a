"""The studio on many machines: a gateway keeps the sockets, workers elsewhere run the streams, Ray lies between."""

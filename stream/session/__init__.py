"""A session: one source, one stream, any number of sinks, and the threads between them."""

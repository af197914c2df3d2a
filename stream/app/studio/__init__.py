"""The studio: a page to draw on, and the server behind it. The protocol between them is docs/studio-protocol.md."""

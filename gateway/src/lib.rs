//! HTTP, WebSocket and HLS: the public face.

"""Models outside the engine's thread: a shared board of requests, the workers that serve it, and who watches them."""

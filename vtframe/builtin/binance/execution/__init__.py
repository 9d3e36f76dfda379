"""Orders on Binance spot and USD-M: WebSocket API, user data, and what is known of each order."""

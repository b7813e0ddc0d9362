"""The outside world on one machine: WeChat and a planet over real HTTP, with switches."""

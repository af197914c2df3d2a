"""Stand-ins that tests use in place of networks, time, pictures and libraries; none of them is installed."""

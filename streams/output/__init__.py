"""What goes out: vector records, the subscriber feed, metrics, web views."""

"""What teams want and what is true of it: the ground floor that knows no HTTP and no cluster."""

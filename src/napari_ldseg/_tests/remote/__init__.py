"""What crosses, and the client."""

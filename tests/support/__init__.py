"""What several tests are built with."""

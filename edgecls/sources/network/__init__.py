"""What cameras in the network share: a wire with an end to every wait, heads, logins."""

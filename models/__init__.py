"""What we decide: pure functions and states. No I/O, no clock, no Faust."""

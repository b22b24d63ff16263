"""What goes wrong in the field, one row each: how it is, and what to do about it."""

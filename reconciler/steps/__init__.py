"""The calls of a plan, one at a time: what is read before one, how it is made, what is checked after it."""

"""A discrete-event simulator of queue and fleet, around the product's own `heddle.matching` and `heddle.fairness`."""

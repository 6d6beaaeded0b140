"""Chaos: a load, receivers, an adversary and a judge. `arena.fight` lets them at each other."""

"""The executor `ray`: one detached, named actor per device slot of a Ray cluster, each with a worker process.

`executor.py` is the dispatcher's side, `link.py` its end of one actor, `actor.py` what runs in the cluster,
`cluster.py` every call to Ray itself, `access.py` tokens and addresses. Only `cluster.py` and `link.py` import Ray.
"""

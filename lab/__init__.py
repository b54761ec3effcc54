"""An embedded host cluster: a real Kubernetes on one machine, for trying Atoll and for its tests.

``lab.api`` is the way in for programs, ``python -m lab`` the one for people;
docs/lab.md tells what it is and what it is not.
"""

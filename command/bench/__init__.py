"""Measurements that anybody can repeat on their own machine."""

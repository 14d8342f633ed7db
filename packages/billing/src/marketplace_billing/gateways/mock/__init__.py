"""The mock gateway: the other side of the wire, played by an app of its own with books of its own.

It stands for a company elsewhere: nothing in billing reads its tables, and it writes them in transactions of its own.
"""

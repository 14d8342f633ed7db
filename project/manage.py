#!/usr/bin/env python
from marketplace.cli import main

if __name__ == "__main__":
    main()

"""`python -m edgecls` is `edgecls`."""

from edgecls.cli.main import main

main()

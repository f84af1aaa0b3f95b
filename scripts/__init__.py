"""What the shell scripts are made of. Standard library only, unless a module says otherwise.

The modules run in whatever Python a fresh machine has, before anything is installed.
"""

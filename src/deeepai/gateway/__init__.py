"""The data plane: one request's way through the gateway, a module per step.

entry → keys → admission → dispatch → upstream → streams → settlement; imports flow that way only.
"""

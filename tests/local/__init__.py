"""The local stack on its real parts; only the services are stand-ins."""

"""Reading untrusted files: pictures, archives, remote objects, served folders."""

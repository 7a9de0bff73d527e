"""Files of any kind: checked on reading, atomic on writing.

kinds              recognise a file by its first bytes, decode its text
parsing            JSON, YAML and pickles, checked against types
validation_errors  what a file holds instead of the expected type, in words
double_keys        refuse an object with a key twice
reads              files that a command reads once
paths              the cache, the configuration, shipped files, home folders
environment        settings of the environment
atomic             write atomically
temporary          temporary files and folders; removes what a kill left
package_sources    the source files of a package, and of those that it imports
lock               keep other processes out
"""

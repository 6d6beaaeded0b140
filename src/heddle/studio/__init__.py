"""What engines share to read and write sound and moving pictures: codecs, previews, and a sandbox for hostile bytes.

Native parsers of foreign bytes (FFmpeg and its like), and native code under a copyleft license, run in a child process
with limits (`sandbox.py`); what a child needs is imported there only.
"""

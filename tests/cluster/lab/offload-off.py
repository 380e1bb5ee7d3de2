"""Turns segmentation and checksum offloads off at the interfaces named: a switch in user space passes on frames as they are."""

import array
import fcntl
import socket
import struct
import sys

SIOCETHTOOL = 0x8946
# ETHTOOL_STSO, _SGSO, _SGRO, _STXCSUM, _SRXCSUM
SETTINGS = (0x1F, 0x24, 0x2C, 0x17, 0x15)

sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for name in sys.argv[1:]:
    for setting in SETTINGS:
        value = array.array("B", struct.pack("II", setting, 0))
        fcntl.ioctl(sock, SIOCETHTOOL, struct.pack("16sP", name.encode(), value.buffer_info()[0]))

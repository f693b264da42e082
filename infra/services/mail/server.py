"""server.py PORT FOLDER: an SMTP server on 127.0.0.1 that keeps each mail it takes as a file in FOLDER.

Who it is for stands in a line before it. An address that begins with `later` is refused once for a while, one that begins
with `never` for ever, both with the address in the answer, as most servers do it.
"""

import asyncio
import os
import sys

from aiosmtpd.smtp import SMTP


class Keeping:
    def __init__(self, folder):
        self.folder = folder
        self.refused = set()

    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("never"):
            return f"550 5.1.1 <{address}>: nobody is called so here"
        if address.startswith("later") and address not in self.refused:
            self.refused.add(address)
            return f"451 4.7.1 <{address}>: come again later"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        taken = [int(name) for name in os.listdir(self.folder) if name.isdigit()]
        place = os.path.join(self.folder, str(max(taken, default=0) + 1))
        with open(place + ".partial", "wb") as file:
            file.write(f"Envelope-To: {', '.join(envelope.rcpt_tos)}\r\n".encode())
            file.write(envelope.original_content)
        os.rename(place + ".partial", place)
        return "250 OK"


async def main(port, folder):
    os.makedirs(folder, exist_ok=True)
    keeping = Keeping(folder)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: SMTP(keeping, hostname="mail.test", enable_SMTPUTF8=True, loop=loop), "127.0.0.1", port
    )
    await server.serve_forever()


asyncio.run(main(int(sys.argv[1]), sys.argv[2]))

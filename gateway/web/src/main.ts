// Where the pages begin.
import "./styles/tokens.css";
import "./styles/base.css";
import "./styles/shell.css";
import "./styles/parts.css";
import "./styles/pages.css";
import "./styles/player.css";
import "./styles/account.css";
import { mountAnnouncements } from "./announce.ts";
import { startRouter } from "./router.ts";
import { mountShell } from "./shell.ts";

const root = document.getElementById("app");
if (!root) throw new Error("index.html has no #app");
const main = mountShell(root);
mountAnnouncements(root);
startRouter(main);

// The player's keys, wherever on the watch page the focus is, as long as nothing there wants the key itself.

export interface Keys {
  toggle: () => void;
  seekBy: (seconds: number) => void;
  volumeBy: (share: number) => void;
  mute: () => void;
  fullscreen: () => void;
}

export const STEP_SECONDS = 5;
const STEP_VOLUME = 0.05;

export function listenForKeys(keys: Keys, signal: AbortSignal): void {
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    const act = actionFor(event.key, keys);
    if (!act || belongsElsewhere(event)) return;
    event.preventDefault();
    act();
  }, { signal });
}

function actionFor(key: string, keys: Keys): (() => void) | undefined {
  const actions: Record<string, () => void> = {
    " ": keys.toggle,
    k: keys.toggle,
    ArrowLeft: () => keys.seekBy(-STEP_SECONDS),
    ArrowRight: () => keys.seekBy(STEP_SECONDS),
    ArrowUp: () => keys.volumeBy(STEP_VOLUME),
    ArrowDown: () => keys.volumeBy(-STEP_VOLUME),
    m: keys.mute,
    f: keys.fullscreen,
  };
  return actions[key.length === 1 ? key.toLowerCase() : key];
}

function belongsElsewhere(event: KeyboardEvent): boolean {
  const { target } = event;
  if (!(target instanceof HTMLElement)) return false;
  if (target.closest("dialog, [role=menu]")) return true;
  const writing = target.matches("textarea, select, [contenteditable], input:not([type=range])");
  // Space presses a focused button or link; the volume keeps its own arrows.
  const pressing = event.key === " " && target.matches("button, a, summary");
  const sliding = event.key.startsWith("Arrow") && target.matches('input[type=range]:not([data-testid="player-seek"])');
  // Up and down scroll the page unless the player has the focus.
  const scrolling = (event.key === "ArrowUp" || event.key === "ArrowDown") && !target.closest(".player");
  return writing || pressing || sliding || scrolling;
}

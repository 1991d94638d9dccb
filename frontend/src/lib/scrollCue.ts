// Says of a box that scrolls sideways on which sides it goes on, so that nothing ends in the middle of a number without a cue.

import type { Attachment } from "svelte/attachments";

/** What is cut by less is padding. Pixels. */
const SLACK = 4;

/** Attached to the box: `data-cut` names the sides; the style sheet fades them. */
export const scrollCue: Attachment<HTMLElement> = (box) => {
  const look = (): void => {
    const left = box.scrollLeft > SLACK;
    const right = box.scrollWidth - box.clientWidth - box.scrollLeft > SLACK;
    const sides = [left && "left", right && "right"].filter(Boolean).join(" ");
    if (sides) box.dataset["cut"] = sides;
    else delete box.dataset["cut"];
  };
  const observer = new ResizeObserver(look);
  observer.observe(box);
  for (const child of box.children) observer.observe(child);
  box.addEventListener("scroll", look, { passive: true });
  look();
  return () => {
    observer.disconnect();
    box.removeEventListener("scroll", look);
  };
};

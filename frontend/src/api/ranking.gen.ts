/**
 * This file was made by scripts/constants.js from docs/openapi.json.
 * Do not make direct changes to the file.
 */

/** What candidates are ranked by, best first; a criterion decides where all before it leave a tie. */
export const RANKING = [
  {
    "by": "images",
    "descending": true
  },
  {
    "by": "top1",
    "descending": true
  },
  {
    "by": "cross_entropy",
    "descending": false
  },
  {
    "by": "index",
    "descending": false
  }
] as const;

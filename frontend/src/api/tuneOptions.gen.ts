/**
 * This file was made by scripts/constants.js from docs/openapi.json.
 * Do not make direct changes to the file.
 */

/** The options of fine-tuning, by path: what they are, their ranges and their defaults. */
export const TUNE_OPTIONS = {
  "average": {
    "type": "number",
    "exclusiveMaximum": 1,
    "exclusiveMinimum": 0
  },
  "batch_size": {
    "type": "integer",
    "default": 128,
    "maximum": 65536,
    "minimum": 2
  },
  "clip_norm": {
    "type": "number",
    "default": 0,
    "minimum": 0
  },
  "crop_area": {
    "type": "number",
    "example": 0.35,
    "maximum": 1,
    "exclusiveMinimum": 0
  },
  "crop_padding": {
    "type": "integer",
    "default": 0,
    "maximum": 1024,
    "minimum": 0
  },
  "distillation.temperature": {
    "type": "number",
    "default": 4,
    "maximum": 100,
    "exclusiveMinimum": 0
  },
  "distillation.weight": {
    "type": "number",
    "default": 0.1,
    "maximum": 1,
    "minimum": 0
  },
  "epochs": {
    "type": "integer",
    "maximum": 10000,
    "minimum": 1
  },
  "find_learning_rate": {
    "type": "boolean",
    "default": false
  },
  "flip": {
    "type": "boolean",
    "default": true
  },
  "label_smoothing": {
    "type": "number",
    "default": 0,
    "minimum": 0,
    "exclusiveMaximum": 1
  },
  "learning_rate": {
    "type": "number",
    "maximum": 100,
    "exclusiveMinimum": 0
  },
  "micro_batch": {
    "type": "integer",
    "maximum": 65536,
    "minimum": 2
  },
  "minutes": {
    "type": "number",
    "maximum": 100000,
    "exclusiveMinimum": 0
  },
  "mixed_precision": {
    "type": "boolean",
    "default": true
  },
  "mixup": {
    "type": "number",
    "default": 0,
    "maximum": 2,
    "minimum": 0
  },
  "momentum": {
    "type": "number",
    "default": 0.9,
    "minimum": 0,
    "exclusiveMaximum": 1
  },
  "optimizer": {
    "type": "string",
    "enum": [
      "sgd",
      "adamw"
    ],
    "default": "sgd"
  },
  "patience": {
    "type": "integer",
    "maximum": 10000,
    "minimum": 1
  },
  "seed": {
    "type": "integer",
    "default": 0,
    "maximum": 9007199254740991,
    "minimum": 0
  },
  "start": {
    "type": "string",
    "enum": [
      "adapted",
      "repaired"
    ],
    "default": "adapted"
  },
  "warmup": {
    "type": "number",
    "default": 0.1,
    "maximum": 1,
    "minimum": 0
  },
  "weight_decay": {
    "type": "number",
    "maximum": 1,
    "minimum": 0
  }
} as const;

/** `renderInventory`: the door to the inventory's formats. */
import { stringify } from 'yaml'
import type { Inventory } from '../model/inventory.ts'
import { inventoryJson, linksJson, ownersJson } from './inventory-json.ts'
import { inventoryMarkdown } from './inventory-markdown.ts'
import { linkLines, ownerLines } from './inventory-tables.ts'
import { inventoryText } from './inventory-text.ts'
import { styleFor } from './style.ts'

export const INVENTORY_FORMATS = ['text', 'wide', 'json', 'yaml', 'markdown'] as const
export type InventoryFormat = (typeof INVENTORY_FORMATS)[number]

/** The inventory in `format`, ending in a newline. `links` adds the map of interfaces to text; `width` is in columns. */
export function renderInventory(
  inventory: Inventory,
  format: InventoryFormat,
  options: { readonly colour: boolean; readonly links: boolean; readonly width?: number },
): string {
  switch (format) {
    case 'text':
      return inventoryText(inventory, { ...options, wide: false })
    case 'wide':
      return inventoryText(inventory, { ...options, wide: true })
    case 'json':
      return `${JSON.stringify(inventoryJson(inventory), null, 2)}\n`
    case 'yaml':
      return stringify(inventoryJson(inventory), { lineWidth: 0, aliasDuplicateObjects: false })
    case 'markdown':
      return inventoryMarkdown(inventory)
  }
}

export const VIEW_FORMATS = ['text', 'json', 'yaml'] as const
export type ViewFormat = (typeof VIEW_FORMATS)[number]

/** One table of the inventory by itself: `netwhy links`, `netwhy rules owners`. */
export function renderView(
  inventory: Inventory,
  view: 'links' | 'owners',
  format: ViewFormat,
  options: { readonly colour: boolean; readonly width?: number },
): string {
  if (format === 'text') {
    const s = styleFor(options.colour)
    const lines = view === 'links' ? linkLines(inventory, s, true) : ownerLines(inventory, s, options.width ?? 80)
    return `${lines.join('\n')}\n`
  }
  const json = view === 'links' ? linksJson(inventory) : ownersJson(inventory)
  return format === 'json'
    ? `${JSON.stringify(json, null, 2)}\n`
    : stringify(json, { lineWidth: 0, aliasDuplicateObjects: false })
}
